module keyop-messenger-peer

go 1.25

require github.com/wu/keyop-messenger v0.11.0
