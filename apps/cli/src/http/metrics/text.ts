/**
 * The text format of Prometheus, as bytes. Thousands of databases have a hundred thousand lines, so the labels of a view are
 * converted once and copied: text that is joined would be garbage of several times its size.
 */

import type { Family, LabeledView } from './family.ts';

/** A part that is full is followed by another one. */
const PART_BYTES: number = 256 * 1024;
/** Braces, comma, blank, line break, and the longest number. */
const BESIDE_BYTES = 40;
/** Of one UTF-16 unit in UTF-8. */
const UNIT_BYTES_MAX = 3;
/** Codes of single characters. */
const BRACE = 0x7b;
const CLOSE = 0x7d;
const COMMA = 0x2c;
const BLANK = 0x20;
const BREAK = 0x0a;
const ZERO = 0x30;

export class MetricsText {
  readonly #full: Buffer[] = [];
  #part = Buffer.allocUnsafe(PART_BYTES);
  #length = 0;

  /** HELP, TYPE, and a line for each value. */
  add<View>(family: Family<View>, views: readonly LabeledView<View>[]): void {
    const { name, type, help, read } = family;
    this.#write(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`);
    const bytes = Buffer.from(name);
    for (const { labels, view } of views) {
      const reading = read(view);
      if (reading === undefined) continue;
      if (typeof reading === 'number') this.#line(bytes, labels, '', reading);
      else for (const [more, value] of reading) this.#line(bytes, labels, more, value);
    }
  }

  /** The parts that are full, each once. */
  take(): readonly Buffer[] {
    return this.#full.splice(0);
  }

  /** All parts that were not taken. */
  end(): readonly Buffer[] {
    return [...this.take(), this.#part.subarray(0, this.#length)];
  }

  #line(name: Buffer, labels: Buffer, more: string, value: number): void {
    this.#reserve(name.length + labels.length + more.length * UNIT_BYTES_MAX + BESIDE_BYTES);
    this.#copy(name);
    if (labels.length + more.length > 0) {
      this.#byte(BRACE);
      this.#copy(labels);
      if (labels.length > 0 && more !== '') this.#byte(COMMA);
      if (more !== '') this.#length += this.#part.write(more, this.#length);
      this.#byte(CLOSE);
    }
    this.#byte(BLANK);
    if (value === 0) this.#byte(ZERO); // the most frequent one
    else this.#length += this.#part.write(String(value), this.#length);
    this.#byte(BREAK);
  }

  #write(text: string): void {
    this.#reserve(text.length * UNIT_BYTES_MAX);
    this.#length += this.#part.write(text, this.#length);
  }

  #reserve(sizeBytes: number): void {
    if (this.#length + sizeBytes <= this.#part.length) return;
    this.#full.push(this.#part.subarray(0, this.#length));
    this.#part = Buffer.allocUnsafe(Math.max(PART_BYTES, sizeBytes));
    this.#length = 0;
  }

  #copy(bytes: Buffer): void {
    this.#part.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #byte(code: number): void {
    this.#part[this.#length] = code;
    this.#length += 1;
  }
}
