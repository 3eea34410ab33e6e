//! `ringside users`: who signs in at the running box.

use super::{
    Failure,
    ask::{Order, RunningBox, Where},
    print,
    status::printable,
    token::until_day,
};
use crate::{access::Role, time::WallTime, web::User};
use clap::{Args, Subcommand, ValueEnum};
use comfy_table::{Table, presets};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Show everybody who has an account.
    List(Asked),
    /// Add a user; the password is made up and shown this once.
    Add(Add),
    /// Close an account and sign it out everywhere.
    Disable(Named),
    /// Open a closed account again.
    Enable(Named),
    /// Give a user a new password, shown this once, and sign them out everywhere.
    ResetPassword(Named),
    /// Show the code with which a new box is claimed.
    ClaimCode(Asked),
    /// Put all accounts aside: the box is nobody's again and is claimed with a new code.
    StartOver(StartOver),
}

#[derive(Args)]
pub(super) struct Asked {
    #[command(flatten)]
    asked: Where,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct Named {
    /// Login, or id: `usr_…`.
    #[arg(value_name = "USER")]
    user: String,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Args)]
pub(super) struct StartOver {
    /// Yes, nobody who has an account now will have one.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Args)]
pub(super) struct Add {
    /// What they type to sign in.
    #[arg(value_name = "LOGIN")]
    login: String,
    /// Their name.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// What they are.
    #[arg(long, value_name = "ROLE", default_value = "csr")]
    role: Rank,
    /// A port whose handset is theirs; may be given again.
    #[arg(long = "port", value_name = "PORT")]
    ports: Vec<String>,
    /// Last day of the account, as 2026-12-31; an installer's always has one.
    #[arg(long, value_name = "DAY", value_parser = until_day)]
    until: Option<WallTime>,
    #[command(flatten)]
    asked: Asked,
}

/// A role as it is typed.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Rank {
    /// Sees the live calls.
    WallDisplay,
    /// Answers calls.
    Csr,
    /// Runs the office.
    Office,
    /// Sets the box up.
    Installer,
    /// May do everything.
    Administrator,
}

impl Rank {
    pub(super) const fn role(self) -> Role {
        match self {
            Self::WallDisplay => Role::WallDisplay,
            Self::Csr => Role::Csr,
            Self::Office => Role::Office,
            Self::Installer => Role::Installer,
            Self::Administrator => Role::Administrator,
        }
    }
}

#[derive(Deserialize)]
struct UserList {
    users: Vec<User>,
}

const LIST: &str = "ringside users list";

pub(super) fn users(command: &Command) -> Result<(), Failure> {
    match command {
        Command::List(asked) => list(asked),
        Command::Add(add) => {
            let body = json!({ "name": add.name, "login": add.login, "role": add.role.role(), "ports": add.ports,
                "until": add.until });
            let made: Value = order(&add.asked, &Order::Post("/api/v1/users", body))?;
            say(&add.asked, &made, &format!("{} is added", add.login));
            Ok(())
        }
        Command::Disable(named) => set_disabled(named, true, "is closed"),
        Command::Enable(named) => set_disabled(named, false, "is open again"),
        Command::ResetPassword(named) => {
            let path = format!("{}/password", path_of(named)?);
            let made: Value = order(&named.asked, &Order::Post(&path, json!({})))?;
            say(&named.asked, &made, &format!("{} has a new password", named.user));
            Ok(())
        }
        Command::ClaimCode(asked) => {
            let code: Value = order(asked, &Order::Get("/api/v1/door"))?;
            say_code(asked, &code);
            Ok(())
        }
        Command::StartOver(StartOver { yes: false, .. }) => {
            let message = "this takes everybody's account away, of the running box";
            Err(Failure::failed(message, "ringside users start-over --yes"))
        }
        Command::StartOver(StartOver { asked, .. }) => {
            let code: Value = order(asked, &Order::Post("/api/v1/start-over", json!({})))?;
            say_code(asked, &code);
            Ok(())
        }
    }
}

fn list(asked: &Asked) -> Result<(), Failure> {
    let UserList { users } = order(asked, &Order::Get("/api/v1/users"))?;
    if asked.json {
        print(format_args!("{}", json!({ "users": users })));
        return Ok(());
    }
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_header(["login", "name", "role", "handsets", "account"]);
    for user in &users {
        let until = user.until.map(|until| format!("until {}", day(until)));
        let standing =
            if user.disabled { "closed".to_owned() } else { until.unwrap_or_else(|| "open".to_owned()) };
        let ports = user.ports.join(" ");
        table.add_row([user.login.clone(), printable(&user.name), user.role.to_string(), ports, standing]);
    }
    print(format_args!("{table}"));
    Ok(())
}

fn set_disabled(named: &Named, disabled: bool, what: &str) -> Result<(), Failure> {
    let path = path_of(named)?;
    let after: Value = order(&named.asked, &Order::Patch(&path, json!({ "disabled": disabled })))?;
    say(&named.asked, &after, &format!("{} {what}", named.user));
    Ok(())
}

/// Path of a user, by login or id.
fn path_of(named: &Named) -> Result<String, Failure> {
    let UserList { users } = order(&named.asked, &Order::Get("/api/v1/users"))?;
    let is_meant =
        |user: &&User| user.login.eq_ignore_ascii_case(&named.user) || user.id.to_string() == named.user;
    let user = users.iter().find(is_meant);
    let user = user.ok_or_else(|| Failure::failed(format!("there is no user {}", named.user), LIST))?;
    Ok(format!("/api/v1/users/{}", user.id))
}

fn order<T: for<'a> Deserialize<'a>>(asked: &Asked, order: &Order<'_>) -> Result<T, Failure> {
    let running: RunningBox = asked.asked.running();
    running.order(order).map_err(|error| error.failure(LIST))
}

/// Says what was done, and the secret, which nobody can show again.
fn say(asked: &Asked, made: &Value, done: &str) {
    if asked.json {
        return print(format_args!("{made}"));
    }
    print(format_args!("{}", printable(done)));
    if let Some(secret) = made.get("secret").and_then(Value::as_str) {
        print(format_args!("password: {secret}   (shown this once)"));
    }
}

fn say_code(asked: &Asked, code: &Value) {
    if asked.json {
        return print(format_args!("{code}"));
    }
    match code.get("claim_code").and_then(Value::as_str) {
        Some(code) => print(format_args!("{code}")),
        None => print(format_args!("this box has an administrator: there is nothing to claim")),
    }
}

fn day(at: WallTime) -> String {
    at.to_string().chars().take(10).collect()
}
