use crate::transport::nats::NatsError;

/// Why the command has failed.
#[derive(thiserror::Error, Debug)]
#[non_exhaustive]
pub enum Failure {
    /// There is no connection.
    #[error(transparent)]
    Nats(#[from] NatsError),
    /// The registry or the log cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// The output cannot be written.
    #[error(transparent)]
    Output(#[from] std::io::Error),
}
