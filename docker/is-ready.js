// Ends with 0 when the daemon of this container can work: Redis and tmux answer.
const { status } = await fetch("http://127.0.0.1:8420/readyz").catch(() => ({ status: 0 }));
process.exit(status === 200 ? 0 : 1);
