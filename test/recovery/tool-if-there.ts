import { needTool, type Tool } from '../support/require.ts';

/** Path of the binary, or undefined if it is not installed. */
export function toolIfThere(tool: Tool): string | undefined {
  try {
    return needTool(tool);
  } catch {
    return undefined;
  }
}
