/** How variables are called that hold a secret. `…_FILE` and `…_PATH` say where one is, and are none. */
export const SECRET_NAME = /(PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIALS?|API_?KEY|PRIVATE_?KEY)$/i;
