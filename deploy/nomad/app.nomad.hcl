# nomad job run app.nomad.hcl
job "app" {
  type = "service"

  update {
    max_parallel     = 1
    health_check     = "checks"
    min_healthy_time = "5s"
    auto_revert      = true
  }

  group "app" {
    count = 3

    network {
      port "http" { to = 8080 }
      port "health" { to = 8081 }
    }

    service {
      name     = "app"
      port     = "http"
      provider = "nomad"

      check {
        type     = "http"
        port     = "health"
        path     = "/readyz"
        interval = "2s"
        timeout  = "1s"
      }
    }

    task "server" {
      driver = "docker"

      config {
        image = "registry.example.com/app:1"
        ports = ["http", "health"]
      }

      env {
        ROTA_WORKERS    = "2"
        ROTA_STOP_GRACE = "30s"
        CONFIG          = "${NOMAD_TASK_DIR}/greeting"
      }

      # A change of the template is a reload, not a restart. Nomad sends the signal to PID 1 of the
      # container, which is the master.
      template {
        data          = "{{ with nomadVar \"nomad/jobs/app\" }}{{ .greeting }}{{ end }}"
        destination   = "local/greeting"
        change_mode   = "signal"
        change_signal = "SIGHUP"
      }

      # Nomad takes the service out of its catalogue, waits, and only then sends the signal.
      # The client's max_kill_timeout, which is 30s by default, must allow kill_timeout.
      shutdown_delay = "5s"
      kill_signal    = "SIGTERM"
      kill_timeout   = "45s"
    }
  }
}
