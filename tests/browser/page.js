// Runs in the page before JupyterLab or Notebook 7 does; the tests talk to the application through it.
// Everything goes through `window.jupyterapp`, which both expose when asked to.
window.testLab = (() => {
  const jobs = new Map();
  const kernelErrors = [];
  const stderr = [];
  let nextJob = 0;

  const app = () => window.jupyterapp;
  const panel = () => {
    const widgets = [...app().shell.widgets('main')];
    return widgets.find(widget => widget.context && widget.sessionContext);
  };
  const kernel = () => panel().sessionContext.session.kernel;
  const cells = () => panel().content.model.cells;

  // An exception in an observer reaches no cell: the kernel answers a comm message with an error.
  function listen(_, message) {
    const parent = message.parent_header.msg_type;
    if (message.header.msg_type === 'error' && parent !== 'execute_request') {
      kernelErrors.push(message.content.traceback.join('\n'));
    }
    if (message.header.msg_type === 'stream' && message.content.name === 'stderr') {
      stderr.push(message.content.text);
    }
  }

  const actions = {
    async attach() {
      await app().restored;
      await panel().context.ready;
      await panel().revealed;
      const context = panel().sessionContext;
      await context.ready;
      await kernel().info;
      context.iopubMessage.disconnect(listen);
      context.iopubMessage.connect(listen);
      return kernel().id;
    },

    async setCells(sources) {
      const notebook = panel().content.model.sharedModel;
      notebook.transact(() => {
        notebook.deleteCellRange(0, notebook.cells.length);
        notebook.insertCells(
          0,
          sources.map(source => ({ cell_type: 'code', source, metadata: {}, outputs: [] }))
        );
      });
    },

    async runCell(index) {
      const content = panel().content;
      content.activeCellIndex = index;
      content.deselectAll();
      await app().commands.execute('notebook:run-cell');
      return cells().get(index).outputs.toJSON();
    },

    async execute({ code, expression }) {
      const future = kernel().requestExecute({
        code,
        silent: false,
        store_history: false,
        stop_on_error: false,
        allow_stdin: false,
        user_expressions: expression ? { value: expression } : {}
      });
      const reply = await future.done;
      return reply.content;
    },

    async save() {
      await panel().context.save();
    },

    async interrupt() {
      await panel().sessionContext.session.kernel.interrupt();
    },

    async restartKernel() {
      await panel().sessionContext.restartKernel();
      await kernel().info;
    },

    // As after a network that was gone: a new connection to the same kernel.
    async reconnect() {
      await kernel().reconnect();
      await kernel().info;
    },

    async setTheme(theme) {
      await app().commands.execute('apputils:change-theme', { theme });
    }
  };

  // Start an action; its end is looked up with `outcome`, so that the test's side keeps the time.
  function start(name, argument) {
    const id = nextJob++;
    const job = { done: false };
    jobs.set(id, job);
    actions[name](argument).then(
      value => Object.assign(job, { done: true, value: value ?? null }),
      error => Object.assign(job, { done: true, error: String((error && error.stack) || error) })
    );
    return id;
  }

  return {
    start,
    isDone: id => jobs.get(id).done,
    outcome: id => {
      const job = jobs.get(id);
      jobs.delete(id);
      return job;
    },
    kernelErrors,
    stderr,
    hasNotebook: () => Boolean(app() && panel()),
    isIdle: () => kernel().status === 'idle',
    theme: () => document.body.dataset.jpThemeName,
    // Outputs that JupyterLab gave to the widget manager and that are not drawn yet.
    undrawn: () =>
      [...document.querySelectorAll('[data-mime-type="application/vnd.jupyter.widget-view+json"]')]
        .filter(node => !node.querySelector('.lm-Widget') || /Loading widget/.test(node.textContent))
        .length
  };
})();
