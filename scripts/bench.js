import { setUp } from "./setup.js";

await setUp();
await import("../bench/drop-to-launch.js");
