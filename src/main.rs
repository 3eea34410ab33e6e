//! The `ringside` binary.

fn main() -> std::process::ExitCode {
    ringside::cli::main()
}
