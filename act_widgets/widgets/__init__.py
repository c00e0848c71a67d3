"""Controls and views on one session: each is a widget, and stands alone in any cell."""
