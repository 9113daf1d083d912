import { Type, type Static } from 'typebox';
import { Id, MaybeTime, Time } from './shapes.ts';
import { route } from './route.ts';

export const Me = Type.Object({
  signedIn: Type.Boolean(),
  user: Type.Union([
    Type.Null(),
    Type.Object({
      id: Id,
      name: Type.String(),
      email: Type.String(),
      organization: Type.String(),
      isAdmin: Type.Boolean(),
    }),
  ]),
  /** No administrator exists yet: the setup link printed by `npm start` makes the first one. */
  needsSetUp: Type.Boolean(),
  /** Plain HTTP on something else than a laptop: cookies are not Secure. */
  insecure: Type.Boolean(),
});
export type Me = Static<typeof Me>;

export const getMe = route({
  id: 'getMe',
  method: 'GET',
  path: '/api/v1/me',
  action: 'session.read',
  access: 'visitor',
  scope: 'catalog:read',
  summary: 'Who is calling',
  reply: Me,
});

export const setUp = route({
  id: 'setUp',
  method: 'POST',
  path: '/api/v1/set-up',
  action: 'user.registered',
  access: 'visitor',
  summary: 'Make the first administrator with the one-time link',
  body: Type.Object({
    token: Type.String({ maxLength: 200 }),
    name: Type.String({ minLength: 1, maxLength: 80 }),
    email: Type.String({ minLength: 3, maxLength: 200 }),
    password: Type.String({ minLength: 8, maxLength: 200 }),
  }),
  reply: Type.Object({ organization: Type.String() }),
  status: 201,
});

export const Token = Type.Object({
  id: Id,
  name: Type.String(),
  prefix: Type.String(),
  scopes: Type.Array(Type.String()),
  createdAt: Time,
  expiresAt: Time,
  lastUsedAt: MaybeTime,
});
export const listTokens = route({
  id: 'listTokens',
  method: 'GET',
  path: '/api/v1/tokens',
  action: 'token.read',
  access: 'user',
  summary: 'Own access tokens',
  reply: Type.Object({ items: Type.Array(Token) }),
});
export const createToken = route({
  id: 'createToken',
  method: 'POST',
  path: '/api/v1/tokens',
  action: 'token.created',
  access: 'user',
  summary: 'Make an access token; its text is shown once',
  body: Type.Object({
    name: Type.String({ minLength: 1, maxLength: 80 }),
    scopes: Type.Array(Type.String(), { minItems: 1, maxItems: 20 }),
    days: Type.Integer({ minimum: 1, maximum: 90 }),
  }),
  reply: Type.Object({ token: Token, text: Type.String() }),
  status: 201,
});
export const revokeToken = route({
  id: 'revokeToken',
  method: 'DELETE',
  path: '/api/v1/tokens/:token',
  action: 'token.revoked',
  access: 'user',
  summary: 'Revoke an access token',
  params: Type.Object({ token: Id }),
  status: 204,
});
