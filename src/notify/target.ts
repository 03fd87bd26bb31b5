import type { Delivery } from "../queue/notifications.ts";
import type { Notification } from "./notification.ts";

/** Who is told. */
export interface Target {
  /** For people; holds no secret. */
  readonly where: string;
  /** Tries once. Never rejects: what went wrong is an answer. When the signal aborts, it ends soon. */
  deliver(notification: Notification, signal: AbortSignal): Promise<Delivery>;
  close(): Promise<void>;
}
