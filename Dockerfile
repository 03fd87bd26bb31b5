# One image for everything but Redis: the daemon, the agents' tmux server, and the demo's stand-ins.
# docs/docker.md says how it is used; docker-compose.yml uses it.
ARG BASE=node:20-bookworm-slim

FROM ${BASE} AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./

FROM packages AS build
RUN npm ci
COPY rolldown.config.js tsconfig.json ./
COPY src src
RUN node_modules/.bin/rolldown --config && chmod 755 dist/ccl-delegate.js

# The compiler comes as an optional peer of a package; types and source maps are for developers.
FROM packages AS production
RUN npm ci --omit=dev \
 && rm -rf node_modules/typescript node_modules/@typescript \
 && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete

# The native program of Claude Code alone: npm keeps it twice, and its installer links one to the other.
FROM ${BASE} AS claude
ARG CLAUDE_VERSION=2.1.329
WORKDIR /claude
RUN mkdir /out \
 && if [ "$CLAUDE_VERSION" != none ]; then \
      npm install --no-save --ignore-scripts --include=optional --no-fund --no-audit "@anthropic-ai/claude-code@$CLAUDE_VERSION" \
   && node node_modules/@anthropic-ai/claude-code/install.cjs \
   && mv node_modules/@anthropic-ai/claude-code/bin/claude.exe /out/claude; \
    fi \
 && rm -rf /claude/*

FROM ${BASE}
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates git procps tmux \
 && rm -rf /var/lib/apt/lists/*
# The user of everything in here. It owns the projects' files, so its ids are yours to choose.
ARG CCL_QUEUE_UID=1000
ARG CCL_QUEUE_GID=1000
RUN groupmod --non-unique --gid "$CCL_QUEUE_GID" node \
 && usermod --non-unique --uid "$CCL_QUEUE_UID" --gid "$CCL_QUEUE_GID" node \
 && install -d -o node -g node /home/node/.claude /projects /run/tmux \
 && install -d -o node -g node -m 700 /var/lib/ccl-queue \
 && chown node:node /home/node
COPY --from=claude /out /usr/local/bin
WORKDIR /app
COPY --from=production /app/node_modules node_modules
COPY package.json LICENSE ./
COPY assets assets
COPY demo demo
COPY libexec libexec
COPY docker docker
COPY --from=build /app/dist dist
RUN ln -s /app/docker/ccl-queue /usr/local/bin/ccl-queue && ln -s /app/dist/ccl-delegate.js /usr/local/bin/ccl-delegate

# The tmux server and its clients are in different containers, and meet in TMUX_TMPDIR. Claude Code is updated with the
# image.
ENV NODE_ENV=production \
    LANG=C.UTF-8 \
    HOME=/home/node \
    TMUX_TMPDIR=/run/tmux \
    CCL_QUEUE_CONFIG=/app/docker/ccl-queue.yaml \
    CLAUDE_CONFIG_DIR=/home/node/.claude \
    DISABLE_AUTOUPDATER=1
LABEL org.opencontainers.image.title="ccl-queue" \
      org.opencontainers.image.description="A durable queue for fleets of Claude Code sessions" \
      org.opencontainers.image.licenses="MIT"
USER node
WORKDIR /home/node
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["node", "/app/docker/is-ready.js"]
CMD ["sh", "/app/docker/daemon.sh"]
