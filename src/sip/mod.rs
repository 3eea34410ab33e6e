//! SIP without I/O: parser, transactions, dialogs, registration.
