/**
 * The SSH connection of a destination, with a few SFTP channels. It is opened by the first call, and
 * reopened by the next call after it was lost, as often happens to idle connections. A channel answers
 * its requests one after another, including slow ones such as fsync, so more channels are opened while
 * all are in use.
 */

import type { Logger } from '@sluice/core/backend';
import type { Client, ConnectConfig, SFTPWrapper } from 'ssh2';
import type SftpClient from 'ssh2-sftp-client';

import { Channel, makeClient } from './channel.ts';
import type { SFTPConfig } from './config.ts';
import { isKeyTypeError, SSHError, toKeyError, toSSHError, type Stage } from './errors.ts';
import { HostKeyCheck, readExpectedKeys } from './host-key.ts';
import { Login } from './login.ts';

/** OpenSSH allows ten per connection, and ProFTPD drops a connection that requests more. */
const CHANNELS_MAX = 8;
const CONNECT_MS_MAX = 15_000;
/** A connection that answers none of three keepalives is dead, which takes at most a minute. */
const KEEPALIVE_MS = 15_000;
const KEEPALIVES_MAX = 3;
/** A refused login is not repeated immediately for every database: servers block clients that do that. */
const REFUSED_MS = 5_000;
/** Maximum time for pending packets when a connection is closed. */
const END_MS_MAX = 500;

interface Connected {
  readonly ssh: Client;
  readonly channels: Channel[];
  channelsMax: number;
  isOpening: boolean;
}

interface Refusal {
  readonly error: SSHError;
  readonly untilMs: number;
}

export class Connection {
  readonly #config: SFTPConfig;
  readonly #logger: Logger;
  /** "sftp://user@host" */
  readonly name: string;
  #connected: Promise<Connected> | undefined;
  #ssh: Client | undefined;
  /** Set while it is being opened. */
  #opening: Client | undefined;
  #refusal: Refusal | undefined;
  #closed = false;
  /** Number of connections so far. The root is checked again after each new one. */
  generation = 0;
  /** The server's clock minus our monotonic clock, once it is known. */
  clockOffsetMs: number | undefined;
  /** Temporary files that could not be removed because the connection was lost. */
  readonly orphans: Set<string> = new Set();

  constructor(name: string, config: SFTPConfig, logger: Logger) {
    this.name = name;
    this.#config = config;
    this.#logger = logger;
  }

  async use<T>(work: (channel: Channel) => Promise<T>): Promise<T> {
    const channel = await this.acquire();
    try {
      return await work(channel);
    } finally {
      channel.useCount -= 1;
    }
  }

  /** Returns the least used channel. The caller decrements its `useCount` when done. */
  async acquire(): Promise<Channel> {
    const connected = await this.#connect();
    const [first = noChannel(), ...others] = connected.channels;
    const channel = others.reduce((a, b) => (b.useCount < a.useCount ? b : a), first);
    if (channel.useCount > 0) this.#openAnother(connected);
    channel.useCount += 1;
    return channel;
  }

  /** Prevents new connections. Pending calls finish over the current one. */
  stopConnecting(): void {
    this.#closed = true;
    this.#opening?.destroy();
  }

  async close(): Promise<void> {
    this.stopConnecting();
    const ssh = this.#ssh;
    if (ssh === undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, END_MS_MAX);
    ssh.once('close', resolve);
    ssh.end();
    await promise;
    clearTimeout(timer);
    ssh.destroy();
  }

  async #connect(): Promise<Connected> {
    if (this.#closed) throw new SSHError('REPLICA_CLOSED', `${this.name} was closed`);
    const refusal = this.#refusal;
    if (refusal !== undefined && performance.now() < refusal.untilMs) throw refusal.error;
    this.#connected ??= this.#open().catch((error: unknown) => {
      this.#connected = undefined;
      const failure = toSSHError(error, 'greeting');
      if (failure.code !== 'REPLICA_UNAVAILABLE') {
        this.#refusal = { error: failure, untilMs: performance.now() + REFUSED_MS };
      }
      throw failure;
    });
    return await this.#connected;
  }

  async #open(): Promise<Connected> {
    const keyCheck = new HostKeyCheck(await readExpectedKeys(this.#config));
    for (;;) {
      const client = await makeClient();
      try {
        const connected = await this.#attempt(client, keyCheck);
        this.generation += 1;
        this.#refusal = undefined;
        return connected;
      } catch (error) {
        client.client.end();
        client.client.destroy();
        this.#ssh = undefined;
        if (this.#closed || !keyCheck.mayHaveOtherKey || !isUntrusted(error)) throw error;
      } finally {
        this.#opening = undefined;
      }
    }
  }

  async #attempt(client: SftpClient, keyCheck: HostKeyCheck): Promise<Connected> {
    const ssh = client.client;
    const login = new Login(this.#config);
    const options = { ...this.#options(), ...(await login.options()) };
    this.#ssh = ssh;
    this.#opening = ssh;
    let stage: Stage = 'greeting';
    let failure: SSHError | undefined;
    let connected: Connected | undefined;
    const fail = (error: SSHError): void => {
      failure ??= error;
      if (connected !== undefined) this.#disconnect(connected, failure);
    };
    ssh.on('connect', () => ssh.setNoDelay(true)); // otherwise Nagle's algorithm delays each request by 40 ms
    let timer: NodeJS.Timeout | undefined;
    const onReady = (): void => {
      stage = 'ready';
      timer = setTimeout(() => {
        fail(new SSHError('REPLICA_UNAVAILABLE', `SFTP did not start in ${CONNECT_MS_MAX} ms`));
        ssh.destroy();
      }, CONNECT_MS_MAX);
    };
    ssh.on('handshake', () => void (stage = 'login')).on('ready', onReady);
    ssh.on('error', (error) => fail(toSSHError(error, stage, login.hint())));
    const onEnd = (): void => fail(new SSHError('REPLICA_UNAVAILABLE', 'the connection was lost'));
    ssh.on('end', onEnd).on('close', onEnd);
    ssh.on('keyboard-interactive', (_name, _instructions, _language, prompts, finish) =>
      login.answer(prompts, finish),
    );
    const serverHostKey = keyCheck.algorithms();
    const hostVerifier = (blob: Buffer): boolean => {
      const isTrusted = keyCheck.verify(blob);
      failure ??= isTrusted ? undefined : keyCheck.refusal(this.name);
      return isTrusted;
    };
    try {
      const sftp = await client.connect({
        ...options,
        algorithms: { serverHostKey },
        hostVerifier,
      });
      connected = { ssh, channels: [], channelsMax: CHANNELS_MAX, isOpening: false };
      this.#add(connected, sftp);
      if (this.#closed) throw new SSHError('REPLICA_CLOSED', `${this.name} was closed`);
    } catch (error) {
      if (stage === 'greeting' && isKeyTypeError(failure ?? error)) {
        keyCheck.setNoOtherKey();
        throw keyCheck.refusal(this.name) ?? failure ?? error;
      }
      // Without an event, ssh2 itself has refused our options.
      throw failure ?? (stage === 'greeting' ? toKeyError(error) : toSSHError(error, stage));
    } finally {
      clearTimeout(timer);
    }
    if (failure !== undefined) throw failure;
    return connected;
  }

  #add(connected: Connected, sftp: SFTPWrapper): void {
    const channel = new Channel(sftp);
    connected.channels.push(channel);
    const fail = (error?: Error): void => {
      const cause = error ?? new Error('the server closed the channel');
      this.#disconnect(connected, toSSHError(cause, 'ready'));
    };
    sftp.on('error', fail).on('end', fail).on('close', fail);
  }

  /** Opens another channel in the background, unless the server allows no more. */
  #openAnother(connected: Connected): void {
    const { ssh, channels, channelsMax, isOpening } = connected;
    if (isOpening || channels.length >= channelsMax) return;
    connected.isOpening = true;
    try {
      ssh.sftp((error, sftp) => {
        connected.isOpening = false;
        if (error === undefined) return this.#add(connected, sftp);
        if (this.#ssh !== ssh || this.#closed) return undefined; // the connection is being closed
        connected.channelsMax = channels.length;
        const fields = { channels: channels.length, error: error.message };
        this.#logger.debug(`${this.name} allows no more channels`, fields);
      });
    } catch {
      connected.isOpening = false; // the connection was just lost, which fails pending calls
    }
  }

  #disconnect(connected: Connected, error: SSHError): void {
    if (this.#ssh === connected.ssh) {
      this.#ssh = undefined;
      this.#connected = undefined;
    }
    for (const channel of connected.channels) channel.fail(error);
    connected.ssh.end();
    connected.ssh.destroy();
  }

  #options(): ConnectConfig {
    const { host, port } = this.#config;
    return {
      host,
      port,
      readyTimeout: CONNECT_MS_MAX,
      keepaliveInterval: KEEPALIVE_MS,
      keepaliveCountMax: KEEPALIVES_MAX,
    };
  }
}

function isUntrusted(error: unknown): boolean {
  return error instanceof SSHError && error.code === 'REPLICA_HOST_UNTRUSTED';
}

function noChannel(): never {
  throw new TypeError('invariant broken: a connection has a channel');
}
