// An issuer of RFC 9068 access tokens for tests: one client, one resource, and a key that
// SIGHUP replaces.
import http from "node:http";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import Provider from "oidc-provider";

const [port, secret] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

function provider(kid) {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return new Provider(issuer, {
    clients: [{ client_id: "portal", client_secret: secret, grant_types: ["client_credentials"], redirect_uris: [], response_types: [] }],
    jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid, use: "sig", alg: "RS256" }] },
    cookies: { keys: [randomBytes(32).toString("hex")] },
    scopes: ["profile.basic"],
    extraTokenClaims: () => ({ org: "acme" }),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => "https://muster.example",
        getResourceServerInfo: () => ({ scope: "profile.basic", audience: "muster", accessTokenTTL: 600, accessTokenFormat: "jwt", jwt: { sign: { alg: "RS256" } } }),
      },
    },
  });
}

let generation = 1;
let handle = provider("k1").callback();
process.on("SIGHUP", () => { handle = provider(`k${++generation}`).callback(); });
http.createServer((request, response) => handle(request, response)).listen(Number(port), "127.0.0.1");
