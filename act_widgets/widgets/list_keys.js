// JupyterLab takes the keys of a list for itself, also while the list has the focus, unless the list objects.
function objects(event) {
  if (event.target.matches?.(".aw-card select")) {
    event.target.setAttribute("data-lm-suppress-shortcuts", "true");
  }
}

export default {
  render() {
    document.addEventListener("focusin", objects);
    return () => document.removeEventListener("focusin", objects);
  },
};
