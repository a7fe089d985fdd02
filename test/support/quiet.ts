/** What synth says to its user would be said once a test. */
process.env.CDK8S_AGENTGATEWAY_NOTES = 'off';
