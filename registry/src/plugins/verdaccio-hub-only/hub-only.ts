import { createHash, timingSafeEqual } from 'node:crypto';
import { errorUtils } from 'verdaccio';
import type { RegistryPluginConfig } from '../../registry-plugins.ts';

type Refusal = ReturnType<typeof errorUtils.getUnauthorized>;
type Done = (refusal: Refusal | null, allowed?: boolean) => void;

/** What this plugin touches of Express, which brings no types. */
interface Request {
  readonly headers: { readonly authorization?: string };
}
interface Response {
  readonly locals: Record<string, unknown>;
}
type Handler = (request: Request, response: Response, next: (error?: Refusal) => void) => void;

/**
 * Verdaccio's authentication: the hub, holding the boot secret, may read and write; nobody else may do anything.
 * Removing a version is refused even to the hub: a number that was published stays taken for ever.
 */
export default class HubOnly {
  readonly #config: RegistryPluginConfig;

  constructor(config: RegistryPluginConfig) {
    this.#config = config;
    config.trainyard.registered.add('hub-only');
  }

  /** In front of every route of the registry, search and ping included. */
  apiJWTmiddleware(): Handler {
    const expected = digest(`Bearer ${this.#config.trainyard.secret}`);
    return (request, response, next) => {
      if (!timingSafeEqual(digest(request.headers.authorization ?? ''), expected)) {
        next(errorUtils.getUnauthorized('only the hub speaks to this registry'));
        return;
      }
      const hub = { name: 'hub', groups: ['hub'], real_groups: ['hub'] };
      Object.assign(request, { remote_user: hub });
      response.locals['remote_user'] = hub;
      next();
    };
  }

  /** `npm login` and basic credentials: there are no users here. */
  authenticate(_user: string, _password: string, done: Done): void {
    done(errorUtils.getUnauthorized('this registry has no users'));
  }

  adduser(_user: string, _password: string, done: Done): void {
    done(errorUtils.getForbidden('this registry has no users'));
  }

  /** A package of which nothing is visible does not exist, whatever lies in the storage. */
  allow_access(user: { name?: string | undefined }, wanted: { name: string }, done: Done): void {
    if (user.name !== 'hub') {
      done(errorUtils.getUnauthorized());
      return;
    }
    void this.#config.trainyard
      .askVisible(wanted.name)
      .then((visible) => (visible === null ? done(errorUtils.getNotFound()) : done(null, true)));
  }

  allow_publish(user: { name?: string | undefined }, _wanted: unknown, done: Done): void {
    if (user.name === 'hub') done(null, true);
    else done(errorUtils.getUnauthorized());
  }

  allow_unpublish(_user: unknown, _wanted: unknown, done: Done): void {
    done(errorUtils.getForbidden('a published version is never removed'));
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
