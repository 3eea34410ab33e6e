//! Site configuration: one TOML file, every error at once, with line, caret and remedy.
