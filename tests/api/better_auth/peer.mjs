// The real library over HTTP, on the tests' database: what the earlier system's API would answer under /api/auth.
import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { admin } from "better-auth/plugins";
import { toNodeHandler } from "better-auth/node";
import pg from "pg";

const { DATABASE_URL, BETTER_AUTH_SECRET, BASE_URL } = process.env;

const auth = betterAuth({
  database: new pg.Pool({ connectionString: DATABASE_URL }),
  secret: BETTER_AUTH_SECRET,
  baseURL: BASE_URL,
  emailAndPassword: { enabled: true },
  plugins: [admin({ defaultRole: "agent", adminRoles: ["admin"] })],
  telemetry: { enabled: false },
});

const server = createServer(toNodeHandler(auth));
server.listen(0, "127.0.0.1", () => console.log(`listening ${server.address().port}`));
