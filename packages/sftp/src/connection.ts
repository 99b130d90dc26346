/**
 * The one SSH connection of a destination, and a few SFTP channels over it. It is opened by the
 * first call, and again by the next one after it was lost, as idle ones are. A channel answers one
 * request after the other, fsync among them, so that more are opened while all are in use.
 */

import type { Logger } from '@sluice/core/backend';
import type { Client, ConnectConfig, SFTPWrapper } from 'ssh2';
import type SftpClient from 'ssh2-sftp-client';

import { Channel, makeClient } from './channel.ts';
import type { SFTPConfig } from './config.ts';
import { isOfKeyTypes, SSHError, toKeyError, toSSHError, type Stage } from './errors.ts';
import { Login } from './login.ts';
import { readExpectedKeys, Trust } from './trust.ts';

/** OpenSSH opens ten to a connection, and ProFTPD drops one that asks for more. */
const CHANNELS_MAX = 8;
const CONNECT_MS_MAX = 15_000;
/** A connection that answers none of three is dead: found out in a minute at most. */
const KEEPALIVE_MS = 15_000;
const KEEPALIVES_MAX = 3;
/** A login that was refused is not repeated at once for every database: servers shut out who does. */
const REFUSED_MS = 5_000;
/** What is in flight when a connection ends politely has so long to go out. */
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
  /** While it is being made. */
  #opening: Client | undefined;
  #refusal: Refusal | undefined;
  #closed = false;
  /** Counts connections: what was known of a root before it is to be looked at again. */
  generation = 0;
  /** How far the server's clock is ahead of ours, once it is known. */
  clockOffsetMs: number | undefined;
  /** Temporary files whose removal the loss of a connection has prevented. */
  readonly orphans: Set<string> = new Set();

  constructor(name: string, config: SFTPConfig, logger: Logger) {
    this.name = name;
    this.#config = config;
    this.#logger = logger;
  }

  async use<T>(work: (channel: Channel) => Promise<T>): Promise<T> {
    const channel = await this.take();
    try {
      return await work(channel);
    } finally {
      channel.load -= 1;
    }
  }

  /** The channel with the least to do. Whoever takes one lowers its `load` when done. */
  async take(): Promise<Channel> {
    const connected = await this.#connect();
    const [first = noChannel(), ...others] = connected.channels;
    const channel = others.reduce((a, b) => (b.load < a.load ? b : a), first);
    if (channel.load > 0) this.#openAnother(connected);
    channel.load += 1;
    return channel;
  }

  /** From now on nothing is connected; calls end what they have begun over the connection that there is. */
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
    const trust = new Trust(await readExpectedKeys(this.#config));
    for (;;) {
      const client = await makeClient();
      try {
        const connected = await this.#attempt(client, trust);
        this.generation += 1;
        this.#refusal = undefined;
        return connected;
      } catch (error) {
        client.client.end();
        client.client.destroy();
        this.#ssh = undefined;
        if (this.#closed || !trust.mayHaveAnother || !isOfTrust(error)) throw error;
      } finally {
        this.#opening = undefined;
      }
    }
  }

  async #attempt(client: SftpClient, trust: Trust): Promise<Connected> {
    const ssh = client.client;
    const login = new Login(this.#config);
    const options = { ...this.#options(), ...(await login.options()) };
    this.#ssh = ssh;
    this.#opening = ssh;
    let stage: Stage = 'greeting';
    let failure: SSHError | undefined;
    let connected: Connected | undefined;
    const lose = (error: SSHError): void => {
      failure ??= error;
      if (connected !== undefined) this.#lose(connected, failure);
    };
    ssh.on('connect', () => ssh.setNoDelay(true)); // else each request waits 40 ms for a second one
    let opening: NodeJS.Timeout | undefined;
    const onReady = (): void => {
      stage = 'ready';
      opening = setTimeout(() => {
        lose(new SSHError('REPLICA_UNAVAILABLE', `no SFTP was opened in ${CONNECT_MS_MAX} ms`));
        ssh.destroy();
      }, CONNECT_MS_MAX);
    };
    ssh.on('handshake', () => void (stage = 'login')).on('ready', onReady);
    ssh.on('error', (error) => lose(toSSHError(error, stage, login.hint())));
    const onEnd = (): void => lose(new SSHError('REPLICA_UNAVAILABLE', 'the connection was lost'));
    ssh.on('end', onEnd).on('close', onEnd);
    ssh.on('keyboard-interactive', (_name, _instructions, _language, prompts, finish) =>
      login.answer(prompts, finish),
    );
    const serverHostKey = trust.algorithms();
    const hostVerifier = (blob: Buffer): boolean => {
      const isTrusted = trust.verify(blob);
      failure ??= isTrusted ? undefined : trust.refusal(this.name);
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
      if (stage === 'greeting' && isOfKeyTypes(failure ?? error)) {
        trust.noOther();
        throw trust.refusal(this.name) ?? failure ?? error;
      }
      // Without an event it is ssh2 itself that will not take what we have given it.
      throw failure ?? (stage === 'greeting' ? toKeyError(error) : toSSHError(error, stage));
    } finally {
      clearTimeout(opening);
    }
    if (failure !== undefined) throw failure;
    return connected;
  }

  #add(connected: Connected, sftp: SFTPWrapper): void {
    const channel = new Channel(sftp);
    connected.channels.push(channel);
    const lose = (error?: Error): void => {
      const why = error ?? new Error('the server ended the channel');
      this.#lose(connected, toSSHError(why, 'ready'));
    };
    sftp.on('error', lose).on('end', lose).on('close', lose);
  }

  /** In the background, and not again where the server allows no more. */
  #openAnother(connected: Connected): void {
    const { ssh, channels, channelsMax, isOpening } = connected;
    if (isOpening || channels.length >= channelsMax) return;
    connected.isOpening = true;
    try {
      ssh.sftp((error, sftp) => {
        connected.isOpening = false;
        if (error === undefined) return this.#add(connected, sftp);
        if (this.#ssh !== ssh || this.#closed) return undefined; // it ends, and this with it
        connected.channelsMax = channels.length;
        const fields = { channels: channels.length, error: error.message };
        this.#logger.debug(`${this.name} opens no more channels`, fields);
      });
    } catch {
      connected.isOpening = false; // it has just been lost: those who wait are told
    }
  }

  #lose(connected: Connected, error: SSHError): void {
    if (this.#ssh === connected.ssh) {
      this.#ssh = undefined;
      this.#connected = undefined;
    }
    for (const channel of connected.channels) channel.lose(error);
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

function isOfTrust(error: unknown): boolean {
  return error instanceof SSHError && error.code === 'REPLICA_HOST_UNTRUSTED';
}

function noChannel(): never {
  throw new TypeError('invariant broken: a connection has a channel');
}
