export interface Page {
  /** In the repository. */
  readonly file: string;
  /** On the site. */
  readonly page: string;
  readonly title?: string;
}

export const GROUPS: readonly { readonly title: string; readonly pages: readonly Page[] }[];
export const DECISION_PAGES: readonly Page[];
export const PAGES: readonly Page[];
