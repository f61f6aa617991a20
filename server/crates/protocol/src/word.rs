//! Words: enums that are strings on the wire.
//!
//! Every closed list of the protocol is written once, with its spelling beside it; a word of a later version reads as
//! `Other`, so that an old receiver goes on.

/// Defines an enum of words: `Variant = "spelling"`, each with its documentation.
///
/// Besides the variants given it has `Other`; it can list its words (`ALL`), spell one (`word`, `Display`) and read one
/// (`from_word`).
macro_rules! words {
    (
        $(#[$about:meta])*
        $name:ident { $( $(#[$doc:meta])* $variant:ident = $word:literal, )+ }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $( $(#[$doc])* #[serde(rename = $word)] $variant, )+
            /// A word that this version does not know.
            #[serde(other, rename = "other")]
            Other,
        }

        impl $name {
            /// Every word of this version, without `Other`.
            pub const ALL: &'static [Self] = &[$( Self::$variant, )+];

            /// Its spelling on the wire.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $( Self::$variant => $word, )+
                    Self::Other => "other",
                }
            }

            /// The word of this spelling, `Other` if it is unknown.
            #[must_use]
            pub fn from_word(word: &str) -> Self {
                match word {
                    $( $word => Self::$variant, )+
                    _ => Self::Other,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}
