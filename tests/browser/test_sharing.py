"""Code of a card on the clipboard, by mouse and by keyboard; what the doctor says in real JupyterLab."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.digits import card
from tests.browser.lab import Lab


def test_code_of_a_card_is_shown_and_copied(page: Lab):
    lab = page
    lab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    lab.python("ex.selection.channel = 5")
    grid = card(lab, "FeatureMaps")
    button, box = grid.get_by_role("button", name="Copy as code"), grid.get_by_label("Code", exact=True)
    expect(box).to_be_hidden()
    button.click()
    expect(grid.get_by_text("Copied.")).to_be_visible()
    code = lab.value("ex.views.feature_maps.code()")
    assert "session.selection.channel = 5" in code
    assert box.input_value() == code
    assert lab.page.evaluate("navigator.clipboard.readText()") == code
    button.click()
    expect(box).to_be_hidden()

    # By keyboard, after another choice. Escape closes the box, and the button has the focus again.
    lab.python("ex.selection.channel = 7")
    button.focus()
    lab.page.keyboard.press("Enter")
    expect(grid.get_by_text("Copied.")).to_be_visible()
    expect(box).to_be_focused()
    assert "session.selection.channel = 7" in lab.page.evaluate("navigator.clipboard.readText()")
    cells = lab.page.locator(".jp-Notebook-cell").count()
    for key in ("Control+a", "Delete", "b", "Escape"):  # none of them is a command to the notebook
        lab.page.keyboard.press(key)
    assert lab.page.locator(".jp-Notebook-cell").count() == cells
    expect(box).to_be_hidden()
    expect(button).to_be_focused()


def test_where_copying_is_not_allowed_the_code_is_selected(page: Lab):
    lab = page
    lab.page.evaluate(
        "() => { navigator.clipboard.writeText = () => Promise.reject(); document.execCommand = () => false }"
    )
    head = lab.page.locator(".aw-explorer")
    head.get_by_role("button", name="Copy as code").first.click()
    expect(head.get_by_text("press Ctrl+C")).to_be_visible()
    chosen = head.get_by_label("Code", exact=True).first.evaluate(
        "e => e.value.slice(e.selectionStart, e.selectionEnd)"
    )
    assert chosen == lab.value("ex.code()")
    lab.reload()  # what was replaced above is the page's own again


def test_the_doctor_finds_the_server_and_nothing_wrong(lab: Lab):
    output = lab.show("import act_widgets as aw\nreport = aw.doctor()\nreport")
    expect(output).to_contain_text("Nothing was found that does not fit.")
    facts = lab.value("report.facts")
    assert facts["Kernel"]["started by"] == "Jupyter server"
    assert facts["Kernel"]["answers while a cell runs"] == "yes"
    assert "environment of the server that started this kernel" in facts["Page"]
    assert "tensorflow" in facts["Packages"]
