"""The schedulers that ship with simaie; they use only its public protocol, as a third party's scheduler would."""

import simaie  # noqa: F401  # it decides whether compiled modules are used, here too
