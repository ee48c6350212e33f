"""The strategies that come with simaie. They use its public protocol only, as a third party's would."""
