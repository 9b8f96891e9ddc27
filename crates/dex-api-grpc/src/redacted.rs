//! `Debug` of the messages that hold a secret: the named fields and nothing else.

use std::fmt;

use crate::v2;

/// Shows only the fields that are named.
macro_rules! debug_only {
    ($($message:ident { $($field:ident),+ })+) => {$(
        impl fmt::Debug for v2::$message {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($message))
                    $(.field(stringify!($field), &self.$field))+
                    .finish_non_exhaustive()
            }
        }
    )+};
}

debug_only! {
    Client { id, name, public }
    Password { email, user_id }
    UpdatePasswordReq { email }
    VerifyPasswordReq { email }
    Connector { id, r#type, name }
    UpdateConnectorReq { id, new_type, new_name }
}
