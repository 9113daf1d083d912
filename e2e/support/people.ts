import { createToken, getMe, SCOPES, setUp } from '@trainyard/plugin-sdk/api';
import { HubClient } from '@trainyard/plugin-sdk/client';

export interface Person {
  readonly email: string;
  readonly password: string;
  readonly organization: string;
  /** Text of an access token with every scope. */
  readonly token: string;
  readonly cookie: string;
  /** Calls with the token. */
  readonly client: HubClient;
  /** Calls with the session of a browser. */
  readonly session: HubClient;
}

const PASSWORD = 'a long enough password';

/** The first administrator, made with the one-time link that the start printed. */
export async function makeAdmin(url: string, setUpToken: string | null): Promise<Person> {
  if (setUpToken === null) throw new Error('The start printed no set-up link.');
  const email = 'ada@example.org';
  await new HubClient({ url }).call(setUp, {
    body: { token: setUpToken, name: 'Ada', email, password: PASSWORD },
  });
  return signIn(url, email);
}

export async function signUp(url: string, name: string): Promise<Person> {
  const email = `${name.toLowerCase()}@example.org`;
  await post(url, '/api/auth/sign-up/email', { name, email, password: PASSWORD });
  return signIn(url, email);
}

async function signIn(url: string, email: string): Promise<Person> {
  const response = await post(url, '/api/auth/sign-in/email', { email, password: PASSWORD });
  const cookie = response.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ');
  const session = new HubClient({ url, headers: { cookie } });
  const { text: token } = await session.call(createToken, {
    body: { name: 'tests', scopes: [...SCOPES], days: 1 },
  });
  const client = new HubClient({ url, token });
  const me = await client.call(getMe, {});
  if (me.user === null) throw new Error(`${email} is not signed in after signing in.`);
  return { email, password: PASSWORD, organization: me.user.organization, token, cookie, client, session };
}

async function post(url: string, path: string, body: unknown): Promise<Response> {
  const response = await fetch(new URL(path, url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response;
}
