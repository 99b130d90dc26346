import { needTool, type Tool } from '../support/require.ts';

/** The binary, where it is installed. */
export function toolIfThere(tool: Tool): string | undefined {
  try {
    return needTool(tool);
  } catch {
    return undefined;
  }
}
