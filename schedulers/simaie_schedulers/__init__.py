"""The schedulers that ship with simaie; they use only its public protocol, as a third party's scheduler would."""
