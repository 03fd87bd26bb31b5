/** What `ccl-queue init` writes: every key with its default. A test keeps it equal to the schema. */
export const CONFIG_TEMPLATE = `# ccl-queue configuration. Every key but projects_dir may be left out; shown are the defaults.

dispatcher:
  # Every directory in it that has an .agent-queue/inbox is watched; new ones are picked up while running.
  projects_dir: ~/projects
  prompt_timeout: 30s        # until an agent is ready, and again until it has taken its prompt
  poll_interval: 60s         # every inbox is swept this often, whatever the file events said
  cooldown: 5m               # how long a session rests after a launch that failed

pool:
  # The tmux sessions that ccl-queue may use: prefix + [start_index, start_index + max).
  # Missing ones are created until there are min.
  autonomous: { prefix: "ccl-auto-", start_index: 11, min: 10, max: 10 }
  # Projects elsewhere: their inboxes are watched. A session named here is never touched.
  dedicated: []              # - { project: ~/projects/site, session: site }

claude:
  command: claude
  args: [--dangerously-skip-permissions]
  models: { critical: opus, default: sonnet }
  attempts: 3                # for a task whose agent crashes, hangs or meets an API error
  backoff: 10s               # before the second attempt, then four times as long
  timeout: 2h                # without any sign of life; a task's own timeout: goes first
  attention_timeout: 1h      # how long a session waits for a person to answer a dialog or a question

secutools:                   # delegation: tasks that say allow_delegation: true go there
  url: null                  # null, or no SECUTOOLS_API_KEY = nothing is delegated; SECUTOOLS_URL goes first
  poll_interval: 30s         # how often the platform is asked about tasks
  concurrency: 20            # requests under way at once, at most
  rate_limit: 50             # tasks submitted in a second, at most
  max_age: 24h               # a task that the platform has not finished by then fails
  auto: { low: gpu, medium: gemini, high: claude-api, none: gemini }   # provider by complexity_hint

notify:                      # what needs you, told at once; off while webhook and command are null
  webhook: null              # a URL for POSTs, signed with CCL_QUEUE_WEBHOOK_SECRET
  command: null              # [PROGRAM, ARGUMENT, …]: the same JSON on its stdin
  on: [failed, attention, hold]    # and done

# HTTP. An address that others can reach needs CCL_QUEUE_TOKEN; read_only refuses every change over HTTP.
server: { host: 127.0.0.1, port: 8420, read_only: false }

tmux: { socket_name: default }   # tmux -L NAME; default is your own server
redis: { url: null }             # null = an embedded one in state_dir; REDIS_URL goes first
state_dir: ~/.local/state/ccl-queue
workspace: default               # hosts that share a Redis and a disk share a workspace
hosts: { gone_after: 60s }     # a host of the workspace that is silent for so long is dead: the others do its work
retention: { jobs: 30d, runs: 30d }
`;
