// Stands behind each script that says how to `draw` the model of a widget.
export default {
  async render({ model, el }) {
    const id = model.get("state").slice("IPY_MODEL_".length);
    if (!model.widget_manager.has_model(id)) return; // Closed before it was drawn.
    return draw(await model.widget_manager.get_model(id), el);
  },
};
