/* Pages opened from a folder may not start workers. Here the search's worker runs in a frame of the page instead. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      const base = new URL(url, location.href);
      const inside = frame.contentWindow;
      const load = (source) =>
        new Promise((done, failed) => {
          const script = frame.contentDocument.createElement("script");
          script.onload = done;
          script.onerror = failed;
          script.src = new URL(source, base).href;
          frame.contentDocument.body.append(script);
        });
      inside.importScripts = (...sources) =>
        sources.reduce((before, source) => before.then(() => load(source)), Promise.resolve());
      inside.postMessage = (data) => this.answer("message", { data });
      this.inside = inside;
      this.ready = load(base);
      this.ready.catch(() => this.answer("error", {}));
    }

    answer(kind, content) {
      const event = new MessageEvent(kind, content);
      this.dispatchEvent(event);
      const handler = this["on" + kind];
      if (handler) handler.call(this, event);
    }

    postMessage(data) {
      this.ready.then(() => this.inside.dispatchEvent(new this.inside.MessageEvent("message", { data })));
    }

    terminate() {
      this.inside.frameElement.remove();
    }
  };
}
