import { createHash, randomUUID } from "node:crypto";
import { z } from "zod";
import type { Config } from "../config/config.ts";
import { QueueError } from "../core/errors.ts";
import type { TaskEvent, TaskEvents } from "../core/events.ts";
import type { Service } from "../core/service.ts";
import type { Hold } from "../core/verdict.ts";
import type { RedisAddress } from "../queue/connection.ts";
import { type Delivery, type DeliveryJob, NotificationQueue, type Tries } from "../queue/notifications.ts";
import { Command } from "./command.ts";
import { type News, newsOf, newsOfHold, notification } from "./notification.ts";
import type { Target } from "./target.ts";
import { Webhook } from "./webhook.ts";

export interface NotifierOptions {
  readonly address: RedisAddress;
  readonly workspace: string;
  /** The host's name in the workspace. */
  readonly host: string;
  readonly events: TaskEvents;
  readonly notify: Config["notify"];
  /** Where the command runs, and in which environment. */
  readonly stateDir: string;
  readonly environment: Readonly<Record<string, string>>;
  /** How long deliveries that are over are kept. */
  readonly retentionMs: number;
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
  readonly tries?: Tries;
  /** For one try of any target, in place of their own. */
  readonly timeoutMs?: number;
}

type TargetName = "webhook" | "command";
type Targets = ReadonlyMap<TargetName, Target>;

/** A job: each target has its own, so that the failure of one repeats nothing at the other. */
const payload = z.object({ target: z.enum(["webhook", "command"]), notification });

/** Tells a webhook and a command what operators want to know at once. Where neither is configured it does nothing. */
export class Notifier implements Service {
  readonly #options: NotifierOptions;
  readonly #targets: Targets;
  readonly #queue: NotificationQueue;
  #isListening = false;
  readonly #listener = (event: TaskEvent) => {
    const news = newsOf(event);
    if (news !== null) this.#tell(news, randomUUID());
  };

  /** @throws {QueueError} CONFIG_INVALID when nobody could tell whose call the webhook gets */
  constructor(options: NotifierOptions) {
    const { tries, retentionMs, address, workspace, onError } = options;
    this.#options = options;
    this.#targets = targetsOf(options);
    this.#queue = new NotificationQueue({
      ...{ address, workspace, retentionMs, tries, onError },
      deliver: async (job, signal) => await this.#deliver(job, signal),
      onGivenUp: (job, count, why) => onError(this.#givenUp(job, count, why)),
    });
  }

  async start(): Promise<void> {
    if (this.#isListening || this.#targets.size === 0) return;
    await this.#queue.start();
    this.#options.events.on(this.#listener);
    this.#isListening = true;
  }

  /** What was told by now and is not delivered waits in Redis for the next daemon. */
  async stop(): Promise<void> {
    this.#options.events.off(this.#listener);
    this.#isListening = false;
    await this.#queue.stop();
    for (const target of this.#targets.values()) await target.close();
  }

  /** Tells that the pool is held, or no longer is (null). A hold that a restart takes up again is told once. */
  hold(hold: Hold | null): void {
    const { host } = this.#options;
    const known = hold && createHash("sha256").update(JSON.stringify([host, hold.kind, hold.sinceMs, hold.untilMs]));
    this.#tell(newsOfHold(hold), known?.digest("hex").slice(0, 32) ?? randomUUID());
  }

  #tell(news: News, id: string): void {
    const { workspace, host, notify, now } = this.#options;
    if (!this.#isListening || !notify.on.includes(news.event)) return;
    const at = new Date(now()).toISOString();
    const subject = news.task === null ? news.event : `${news.event}: ${news.task.task}`;
    const jobs = [...this.#targets.keys()].map((target) => {
      const delivery = `${id}-${target}`;
      const told = { delivery, at, workspace, host };
      const data = { target, notification: { ...told, ...news } } satisfies z.infer<typeof payload>;
      return { id: delivery, name: `${subject} to the ${target}`, data };
    });
    this.#queue.add(jobs);
  }

  async #deliver({ data }: DeliveryJob, signal: AbortSignal): Promise<Delivery> {
    const parsed = payload.safeParse(data);
    if (!parsed.success)
      return { kind: "refused", why: `the job is not one of ours: ${z.prettifyError(parsed.error)}` };
    const { target, notification: told } = parsed.data;
    const delivery = await this.#targets.get(target)?.deliver(told, signal);
    return delivery ?? { kind: "refused", why: `notify.${target} is no longer configured` };
  }

  #givenUp({ id, data }: DeliveryJob, tries: number, why: string): QueueError {
    const parsed = payload.safeParse(data).data;
    const where = (parsed && this.#targets.get(parsed.target)?.where) ?? "its target";
    const what = parsed === undefined ? id : `${id} ("${parsed.notification.text}")`;
    const often = tries === 1 ? "1 try" : `${tries} tries`;
    return new QueueError(`notification ${what} was not delivered to ${where} in ${often}: ${why}`, {
      code: "NOTIFY_FAILED",
      hint: "see docs/notifications.md; it is not tried again",
    });
  }
}

function targetsOf({ notify, stateDir, environment, now, timeoutMs }: NotifierOptions): Targets {
  const { webhook: url, webhookSecret: secret, command: argv } = notify;
  const targets = new Map<TargetName, Target>();
  if (url !== null) {
    if (secret === null) throw secretMissing();
    targets.set("webhook", new Webhook({ url, secret, now, timeoutMs }));
  }
  if (argv !== null) targets.set("command", new Command({ argv, cwd: stateDir, environment, timeoutMs }));
  return targets;
}

function secretMissing(): QueueError {
  return new QueueError("notify.webhook is set, and CCL_QUEUE_WEBHOOK_SECRET is not", {
    code: "CONFIG_INVALID",
    hint: "set it to a long random text that the receiver knows too: else anybody could call the receiver in our name",
  });
}
