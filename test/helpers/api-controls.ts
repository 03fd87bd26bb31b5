import { TaskEvents } from "../../src/core/events.ts";
import type { ApiOptions } from "../../src/server/api.ts";
import { EventStreams } from "../../src/server/event-streams.ts";
import { LiveEvents } from "../../src/server/live-events.ts";

type Controls = ApiOptions["controls"];

/** What the API asks, answered by these; everything else meets this error. */
export function controlsThat(answers: Partial<Controls>, error: Error = new Error("nobody asks")): Controls {
  const asked = async () => await Promise.reject(error);
  return {
    ...{ status: asked, delegationStatus: asked, overview: asked, hosts: asked, ready: asked },
    ...{ tasks: asked, task: asked, log: asked, sessions: asked, screen: asked },
    ...{
      add: asked,
      retry: asked,
      retryAll: asked,
      cancel: asked,
      hold: asked,
      resume: asked,
      adopt: asked,
      repair: asked,
    },
    ...answers,
  };
}

/** What the API tells besides, for a daemon where nothing happens. */
export function quietParts(): Pick<ApiOptions, "events" | "streams" | "metrics"> {
  return {
    events: new LiveEvents({ tasks: new TaskEvents(), onError: () => {} }),
    streams: new EventStreams(),
    metrics: { text: async () => await Promise.resolve("") },
  };
}
