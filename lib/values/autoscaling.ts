/**
 * A HorizontalPodAutoscaler sets the number of pods; the Deployment then says none. Pods are added as soon as there is
 * more to do. They are taken away slowly, since each takes its event streams with it: one in 5 minutes, once there was
 * less to do for 10.
 *
 * @see https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/
 */
export interface Autoscaling {
  /**
   * Fewest pods, 1 to 1000.
   *
   * @default - `replicas`
   */
  readonly min?: number;

  /** Most pods, 1 to 1000; no fewer than `min`. Each takes the whole of its CPU and memory, and its share of Redis. */
  readonly max: number;

  /**
   * How busy the proxy's threads may be on average before a pod is added, in percent of the one core that each worker
   * can use; 1 to 100. What the container asks for does not matter.
   *
   * @default 70
   */
  readonly cpuUtilization?: number;

  /**
   * Event streams that a pod may have open on average before one is added: a quiet stream takes memory and no CPU.
   * Fewer than the connections that a pod takes, and with a `metricsPeer`. The metric is `agentgateway_open_streams`
   * of pods, which an adapter must serve.
   *
   * @default - streams are not counted
   * @see docs/guides/autoscaling.md
   */
  readonly openStreams?: number;
}
