module github.com/rota-go/rota/e2e/udp

go 1.25.0

replace github.com/rota-go/rota => ../..

require (
	github.com/miekg/dns v1.1.68
	github.com/quic-go/quic-go v0.55.0
	github.com/rota-go/rota v0.0.0
	golang.org/x/net v0.58.0
)

require (
	github.com/cloudflare/tableflip v1.2.3 // indirect
	github.com/coreos/go-systemd/v22 v22.7.0 // indirect
	golang.org/x/crypto v0.55.0 // indirect
	golang.org/x/mod v0.27.0 // indirect
	golang.org/x/sync v0.16.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	golang.org/x/tools v0.36.0 // indirect
)
