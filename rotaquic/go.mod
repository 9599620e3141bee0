module github.com/rota-go/rota/rotaquic

go 1.26.0

replace github.com/rota-go/rota => ..

require (
	github.com/quic-go/quic-go v0.65.0
	github.com/rota-go/rota v0.0.0
	golang.org/x/net v0.58.0
	golang.org/x/sys v0.48.0
)

require (
	github.com/cloudflare/tableflip v1.2.3 // indirect
	github.com/coreos/go-systemd/v22 v22.7.0 // indirect
	github.com/quic-go/qpack v0.6.0 // indirect
	golang.org/x/crypto v0.55.0 // indirect
	golang.org/x/text v0.41.0 // indirect
)
