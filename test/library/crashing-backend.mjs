// A backend whose module throws outside of any call.

setImmediate(() => {
  throw new Error('this backend crashes its process');
});
await new Promise((resolve) => {
  setTimeout(resolve, 60_000);
});
