//! Every route of the API, as its document has it.

/// One method of a route.
pub(super) struct Route {
    /// `get`, `post`…
    pub(super) method: &'static str,
    /// As the router has it.
    pub(super) path: &'static str,
    /// What it does, in a sentence.
    pub(super) summary: &'static str,
    /// Parameters in the query: name, and what it is.
    pub(super) query: &'static [(&'static str, &'static str)],
    /// Whether it takes a JSON body.
    pub(super) takes: bool,
    /// What it answers when all is well.
    pub(super) answer: Answer,
    /// Statuses of its problems (RFC 9457), beside 401 and 403.
    pub(super) problems: &'static [u16],
}

/// What is answered.
pub(super) enum Answer {
    Json(&'static str),
    Stream(&'static str),
    Accepted(&'static str),
    AcceptedJson(&'static str),
    Nothing(&'static str),
    /// Bytes of a recording; 206 for a range of it, 202 while it is being made.
    Audio(&'static str),
}

use Answer::{Accepted, AcceptedJson, Audio, Json, Nothing, Stream};

const fn look(
    path: &'static str,
    summary: &'static str,
    query: &'static [(&'static str, &'static str)],
    answer: Answer,
    problems: &'static [u16],
) -> Route {
    Route { method: "get", path, summary, query, takes: false, answer, problems }
}

const fn order(
    path: &'static str,
    summary: &'static str,
    takes: bool,
    answer: Answer,
    problems: &'static [u16],
) -> Route {
    Route { method: "post", path, summary, query: &[], takes, answer, problems }
}

const fn change(
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    answer: Answer,
    problems: &'static [u16],
) -> Route {
    Route { method, path, summary, query: &[], takes: true, answer, problems }
}

/// What may come of a change.
const WRITES: &[u16] = &[400, 404, 409, 410, 413, 415, 422, 429, 500, 501, 503, 507];

/// Every method of every route below `/api/v1`, in the order of the router.
pub(super) const ROUTES: &[Route] = &[
    look("/api/v1/bubbles", "The call bubbles on the screens, newest first.", &[], Json("`bubbles`"), &[]),
    look(
        "/api/v1/events",
        "What happens, as server-sent events: `snapshot` first, then `pre_call`, `call_routing_complete`, `post_call`, \
         `recording_ready`, `call_modified`, `trunk_state`, `line_health`. `Last-Event-ID` resumes.",
        &[],
        Stream("Events without an end"),
        &[503],
    ),
    look(
        "/api/v1/calls",
        "Calls, newest first, filtered; the names are CallRail's.",
        &[
            ("start_date", "First day, or time"),
            ("end_date", "Last day, or time"),
            ("search", "Any spelling of a number, its last digits, or a name"),
            ("fields", "Names of the fields wanted"),
            ("per_page", "At most so many"),
            ("after", "What `next` of the page before says"),
        ],
        Json("`calls`, `next`, totals"),
        &[400, 422, 500, 503],
    ),
    look(
        "/api/v1/calls/summary",
        "What calls add up to, by campaign, number, source, hour or agent.",
        &[("group_by", "What by"), ("start_date", "First day"), ("end_date", "Last day")],
        Json("The sums"),
        &[400, 422, 500, 503],
    ),
    look(
        "/api/v1/calls/timeseries",
        "What calls add up to, by day, week or month.",
        &[("interval", "day, week or month"), ("start_date", "First day"), ("end_date", "Last day")],
        Json("The sums"),
        &[400, 422, 500, 503],
    ),
    look("/api/v1/calls/{id}", "A call.", &[], Json("The call"), &[400, 404, 500]),
    change(
        "patch",
        "/api/v1/calls/{id}",
        "Write into a call: note, tags, lead_status, reason, customer_id, job, call_back.",
        Json("The record as it is now"),
        WRITES,
    ),
    Route {
        method: "get",
        path: "/api/v1/calls/{id}/recording",
        summary: "The recording of a call, whole or a range of it.",
        query: &[],
        takes: false,
        answer: Audio("Ogg Opus"),
        problems: &[404, 416, 500],
    },
    order("/api/v1/calls/{id}/claim", "Take a call, or take it over.", true, Json("The record"), WRITES),
    order("/api/v1/calls/{id}/pause", "Pause the recording of a call.", false, Json("The record"), WRITES),
    order("/api/v1/calls/{id}/resume", "Go on recording a call.", false, Json("The record"), WRITES),
    order(
        "/api/v1/calls/{id}/close",
        "Close the bubble of a call that is over.",
        true,
        Json("The record"),
        WRITES,
    ),
    look("/api/v1/missed", "Missed calls and whether they were called back.", &[], Json("`missed`"), &[500]),
    look("/api/v1/tags", "Tags in use.", &[], Json("`tags`"), &[400, 500, 503]),
    look("/api/v1/proofs", "Proofs of double forwarding, newest first.", &[], Json("`proofs`"), &[]),
    look(
        "/api/v1/proofs/events",
        "A proof that changed, as server-sent events.",
        &[],
        Stream("Events without an end"),
        &[503],
    ),
    look("/api/v1/proofs/{id}", "A proof as the box signed it.", &[], Json("The proof"), &[404, 503]),
    look(
        "/api/v1/search",
        "Numbers, campaigns and customers by any spelling, last digits or name.",
        &[("q", "What is looked for")],
        Json("`hits`"),
        &[400],
    ),
    look("/api/v1/trackers", "Tracking numbers.", &[], Json("`trackers`"), &[]),
    change("post", "/api/v1/trackers", "Add a tracking number.", Json("It"), WRITES),
    look("/api/v1/trackers/{id}", "A tracking number.", &[], Json("It"), &[404]),
    change("put", "/api/v1/trackers/{id}", "Change a tracking number.", Json("It"), WRITES),
    change("delete", "/api/v1/trackers/{id}", "Take a tracking number out of use.", Json("It"), WRITES),
    look(
        "/api/v1/advertised-numbers",
        "Advertised numbers that forward to tracking numbers.",
        &[],
        Json("They"),
        &[],
    ),
    change("post", "/api/v1/advertised-numbers", "Add an advertised number.", Json("It"), WRITES),
    change("put", "/api/v1/advertised-numbers/{id}", "Change an advertised number.", Json("It"), WRITES),
    change(
        "delete",
        "/api/v1/advertised-numbers/{id}",
        "Take an advertised number out of use.",
        Json("It"),
        WRITES,
    ),
    order(
        "/api/v1/advertised-numbers/{id}/porting",
        "Move a number in, step by step.",
        true,
        Json("It"),
        WRITES,
    ),
    look("/api/v1/forwarding-numbers", "Forwarding numbers.", &[], Json("They"), &[]),
    change("post", "/api/v1/forwarding-numbers", "Add a forwarding number.", Json("It"), WRITES),
    change(
        "delete",
        "/api/v1/forwarding-numbers/{id}",
        "Take a forwarding number out of use.",
        Json("It"),
        WRITES,
    ),
    look("/api/v1/campaigns", "Campaigns.", &[], Json("They"), &[]),
    change("post", "/api/v1/campaigns", "Add a campaign.", Json("It"), WRITES),
    look("/api/v1/campaigns/{id}", "A campaign.", &[], Json("It"), &[404]),
    change("put", "/api/v1/campaigns/{id}", "Change a campaign.", Json("It"), WRITES),
    change("delete", "/api/v1/campaigns/{id}", "End a campaign.", Json("It"), WRITES),
    look("/api/v1/reasons", "Call reasons, in their order.", &[], Json("They"), &[]),
    change("put", "/api/v1/reasons", "Set the call reasons.", Json("They"), WRITES),
    look("/api/v1/customers", "Customers.", &[("q", "A name or number")], Json("They"), &[400]),
    change("post", "/api/v1/customers", "Add a customer.", Json("Them"), WRITES),
    order(
        "/api/v1/customers/import",
        "Bring a list of customers in, or look what it would do.",
        true,
        Json("What it does"),
        WRITES,
    ),
    look("/api/v1/customers/{id}", "A customer.", &[], Json("Them"), &[404]),
    change("put", "/api/v1/customers/{id}", "Change a customer.", Json("Them"), WRITES),
    change("delete", "/api/v1/customers/{id}", "Remove a customer.", Json("Them"), WRITES),
    order("/api/v1/customers/{id}/merge", "Make two customers one.", true, Json("Them"), WRITES),
    look("/api/v1/jobs", "Jobs.", &[("q", "A number or customer")], Json("They"), &[400]),
    change("post", "/api/v1/jobs", "Add a job.", Json("It"), WRITES),
    look("/api/v1/jobs/{id}", "A job.", &[], Json("It"), &[404]),
    change("put", "/api/v1/jobs/{id}", "Change a job.", Json("It"), WRITES),
    change("delete", "/api/v1/jobs/{id}", "Remove a job.", Json("It"), WRITES),
    look("/api/v1/users", "Whoever may sign in.", &[], Json("`users`"), &[503]),
    change("post", "/api/v1/users", "Add a user.", Json("The user, and a password once"), WRITES),
    change("patch", "/api/v1/users/{id}", "Change a user.", Json("The user"), WRITES),
    order(
        "/api/v1/users/{id}/password",
        "Make a new password for a user.",
        true,
        Json("The password, once"),
        WRITES,
    ),
    order(
        "/api/v1/start-over",
        "Set the accounts aside; for programs on the box.",
        false,
        Json("The claim code"),
        WRITES,
    ),
    look(
        "/api/v1/door",
        "The claim code of a box that is nobody's, and the certificate.",
        &[],
        Json("They"),
        &[],
    ),
    look("/api/v1/tokens", "Tokens of programs and wall displays.", &[], Json("`tokens`"), &[503]),
    change("post", "/api/v1/tokens", "Make a token; it is shown once.", Json("The token"), WRITES),
    change("delete", "/api/v1/tokens/{id}", "Take a token back.", Json("The token"), WRITES),
    look(
        "/api/v1/retention",
        "What is to be erased and what is held.",
        &[],
        Json("The listing"),
        &[500, 501],
    ),
    order(
        "/api/v1/retention",
        "Ask for an erasure or a hold, or call one off.",
        true,
        Json("What was done"),
        &[400, 404, 422, 501, 503, 507],
    ),
    look(
        "/api/v1/audit",
        "Who did what, newest first.",
        &[("limit", "At most so many")],
        Json("`audit`"),
        &[500, 501],
    ),
    order(
        "/api/v1/audit",
        "Account for something that was done outside of the page.",
        true,
        Nothing("It is written"),
        &[400, 404, 422, 501, 503, 507],
    ),
    look("/api/v1/status", "The state of the box.", &[], Json("The snapshot"), &[503]),
    look(
        "/api/v1/status/events",
        "The state of the box whenever it changes, as server-sent events.",
        &[],
        Stream("Snapshots without an end"),
        &[503],
    ),
    order(
        "/api/v1/lines/{port}/test",
        "Test a port; takes up to half a minute.",
        false,
        Json("What was measured"),
        &[404, 409, 501, 502, 503, 504],
    ),
    look("/api/v1/sync", "How syncing with the upstream does.", &[], Json("Its state"), &[503]),
    order("/api/v1/sync/now", "Send everything upstream now.", false, Accepted("It begins"), &[404]),
    look("/api/v1/webhooks", "The receivers of webhooks and how they do.", &[], Json("`webhooks`"), &[]),
    order(
        "/api/v1/webhooks/{n}/test",
        "Send a receiver an event of type `test` now.",
        false,
        Json("Whether it accepted it, and what it said"),
        &[404, 503],
    ),
    Route {
        method: "post",
        path: "/api/v1/webhooks/{n}/replay",
        summary: "Send a receiver the calls of a time again, under the ids they had.",
        query: &[("from", "RFC 3339 time of the first"), ("to", "And of the last; now if absent")],
        takes: false,
        answer: AcceptedJson("`calls`: how many"),
        problems: &[400, 404, 422, 503],
    },
    look("/api/v1/openapi.json", "This document.", &[], Json("OpenAPI 3.1"), &[]),
];
