/**
 * The text of a configuration of Litestream, as a document that can be edited. Comments, order and variables stay
 * as they were written.
 */

import {
  Document,
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  parseDocument,
  visit,
  YAMLSeq,
} from 'yaml';
import type { Path } from '../config/problems.ts';
import type { VariablesOfFile } from '../config/variables.ts';

export type Edit =
  /** Also removes a group that becomes empty. */
  | { readonly kind: 'remove'; readonly path: Path }
  | { readonly kind: 'set'; readonly path: Path; readonly value: string }
  /** Gives a key another name and another value. */
  | { readonly kind: 'rename'; readonly path: Path; readonly to: string; readonly value: string }
  /** `replica: {…}` becomes `replicas: [{…}]`. Changes the paths below it, so it comes last. */
  | { readonly kind: 'to-list'; readonly path: Path };

/** A comment that may be an old setting with a credential, or the address of another schema. */
const UNSAFE_COMMENT =
  /secret|passw|token|account-key|customer-key|access-key|connection-string|AKIA|sig=|:\/\/[^/\s]*:[^/\s]*@|yaml-language-server/i;

const NOTHING = /^(|~|null|Null|NULL)$/;

/** CONFIG_INVALID has been ruled out: the file has been read as a configuration. */
export class SourceFile {
  readonly #variables: VariablesOfFile;

  constructor(variables: VariablesOfFile) {
    this.#variables = variables;
  }

  /** Maps, lists and strings; a key without a value is null. Variables are marks. */
  get root(): unknown {
    const document = this.#parse();
    visit(document, {
      Scalar: (role, node) => {
        if (role !== 'key' && node.type === 'PLAIN' && NOTHING.test(String(node.value)))
          node.value = null;
      },
    });
    return document.toJS({ maxAliasCount: -1 });
  }

  /** The text after the edits, with the variables as they were written. */
  edited(edits: readonly Edit[]): string {
    const document = this.#parse();
    removeUnsafeComments(document);
    for (const edit of edits) apply(edit, document);
    const text = document.toString({ lineWidth: 0 });
    return this.#variables.unmark(text);
  }

  #parse(): Document {
    const document = parseDocument(this.#variables.markedText, { schema: 'failsafe', merge: true });
    if (!hasAliases(document)) return document;
    // An alias cannot be edited in one place only, so each gets its own copy.
    const plain: unknown = document.toJS({ maxAliasCount: -1 });
    return new Document(plain, { schema: 'failsafe', aliasDuplicateObjects: false });
  }
}

function hasAliases(document: Document): boolean {
  let found = false;
  visit(document, {
    Node: (_, node) => {
      found ||= isAlias(node) || (isScalar(node) && node.value === '<<');
    },
  });
  return found;
}

function removeUnsafeComments(document: Document): void {
  const clean = (comment: string | null | undefined): string | undefined =>
    comment
      ?.split('\n')
      .filter((line) => !UNSAFE_COMMENT.test(line))
      .join('\n') || undefined;
  document.commentBefore = clean(document.commentBefore) ?? null;
  document.comment = clean(document.comment) ?? null;
  visit(document, {
    Node: (_, node) => {
      if (isAlias(node)) return;
      node.commentBefore = clean(node.commentBefore) ?? null;
      node.comment = clean(node.comment) ?? null;
    },
  });
}

function apply(edit: Edit, document: Document): void {
  const { path } = edit;
  if (edit.kind === 'set') {
    document.setIn(path, edit.value);
    return;
  }
  const above = path.slice(0, -1);
  const parent = above.length === 0 ? document.contents : document.getIn(above, true);
  if (!isMap(parent)) return;
  const pair = parent.items.find(({ key }) => isScalar(key) && key.value === path.at(-1));
  if (!isPair(pair) || !isScalar(pair.key)) return;
  switch (edit.kind) {
    case 'remove':
      parent.delete(path.at(-1));
      if (parent.items.length === 0) document.deleteIn(above);
      return;
    case 'rename':
      pair.key.value = edit.to;
      pair.value = document.createNode(edit.value);
      return;
    case 'to-list': {
      const list = new YAMLSeq();
      if (isCollection(pair.value)) list.add(pair.value);
      pair.key.value = 'replicas';
      pair.value = list;
    }
  }
}
