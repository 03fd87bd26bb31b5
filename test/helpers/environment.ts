import type { Environment } from "../../src/config/environment.ts";

/** The environment of an operator who has set nothing, but for what is given. */
export function environmentWith(given: Partial<Environment> & Pick<Environment, "home">): Environment {
  return {
    redisUrl: null,
    secutoolsUrl: null,
    secutoolsApiKey: null,
    token: null,
    webhookSecret: null,
    configFile: null,
    ...given,
  };
}
