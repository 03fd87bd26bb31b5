/** The benchmarks in the order of docs/performance.md. They load when they are run: the setup may have to come first. */
export const BENCHMARKS = {
  "drop-to-launch": async () => await import("./drop-to-launch.js"),
  "stop-to-next": async () => await import("./stop-to-next.js"),
  makespan: async () => await import("./makespan.js"),
  "makespan-critical": async () => await import("./makespan-critical.js"),
  burst: async () => await import("./burst.js"),
  boot: async () => await import("./boot.js"),
  routing: async () => await import("./routing.js"),
  reaper: async () => await import("./reaper.js"),
  idle: async () => await import("./idle.js"),
  "pool-sizes": async () => await import("./pool-sizes.js"),
  commands: async () => await import("./commands.js"),
};

/** Measurements with options and a report of their own, which take too long to be made with the others. */
export const PROGRAMS = {
  operate: async () => await import("./operate.js"),
  endurance: async () => await import("./endurance.js"),
  "redis-kills": async () => await import("./redis-kills.js"),
};
