"""The pages, one a module, each with `render()`; `slimviz.widgets.navigation` lists them."""
