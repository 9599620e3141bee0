module github.com/rota-go/rota/watch

go 1.26.0

replace github.com/rota-go/rota => ..

require (
	github.com/fsnotify/fsnotify v1.10.1
	github.com/rota-go/rota v0.0.0
)

require (
	github.com/cloudflare/tableflip v1.2.3 // indirect
	github.com/coreos/go-systemd/v22 v22.7.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
)
