// Unleash on the PostgreSQL of DATABASE_URL, at PORT of loopback, without a login: for a drill only.
const { start } = require('unleash-server');
const database = new URL(process.env.DATABASE_URL);

start({
  db: {
    ssl: false,
    host: database.hostname,
    port: Number(database.port),
    user: database.username,
    password: 'none',
    database: database.pathname.slice(1),
    pool: { min: 0, max: 10 },
  },
  server: { host: '127.0.0.1', port: Number(process.env.PORT) },
  authentication: { type: 'none' },
  versionCheck: { enable: false },
});
