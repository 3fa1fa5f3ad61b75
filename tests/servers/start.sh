#!/bin/sh
# Starts one of Debian's servers on loopback, in the foreground and with all it writes below the
# current directory: `start.sh NAME`. Needs root, and a network namespace that nothing else is in.
set -eu

# A certificate of its own for www.test.
certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
        -subj "/CN=www.test" -addext "subjectAltName=DNS:www.test,DNS:mail.test" \
        -keyout key.pem -out cert.pem 2>/dev/null
}

# Runs what may end with its first client again.
again() { while :; do "$@" || true; sleep 0.1; done; }

here=$PWD
case $1 in
openssh)
    ssh-keygen -q -t ed25519 -N '' -f key
    mkdir -p /run/sshd
    exec /usr/sbin/sshd -D -e -f /dev/null -h "$here/key" -o PidFile=none \
        -o ListenAddress=127.0.0.1:22 -o ListenAddress=127.0.0.1:10022
    ;;
nginx)
    certificate
    printf '<html><head><title>Hello &amp; welcome</title></head></html>' > index.html
    cat > conf <<EOF
daemon off; master_process off; pid $here/pid; error_log stderr;
events {}
http {
    access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;
    uwsgi_temp_path t4; scgi_temp_path t5; root $here;
    ssl_certificate cert.pem; ssl_certificate_key key.pem;
    server { listen 127.0.0.1:80; return 301 https://www.test/; }
    server { listen 127.0.0.1:10080; }
    server { listen 127.0.0.1:443 ssl; ssl_protocols TLSv1.2; }
    server { listen 127.0.0.1:10443 ssl; ssl_protocols TLSv1.3; }
}
EOF
    exec nginx -p "$here" -c "$here/conf"
    ;;
vsftpd)
    mkdir -p /var/run/vsftpd/empty
    for port in 21 10021; do
        printf '%s\n' background=NO listen=YES anonymous_enable=YES listen_port=$port \
            listen_address=127.0.0.1 > $port.conf
        again vsftpd "$here/$port.conf" &
    done
    wait
    ;;
exim)
    cat > conf <<EOF
primary_hostname = mail.test
spool_directory = $here
log_file_path = $here/log-%s
pid_file_path = $here/pid
acl_smtp_rcpt = deny
tls_advertise_hosts =
host_lookup =
rfc1413_hosts =
EOF
    chown Debian-exim .
    exec exim4 -bdf -C "$here/conf" -oX 127.0.0.1.25:127.0.0.1.10025
    ;;
dovecot)
    certificate
    cat > conf <<EOF
protocols = imap pop3
base_dir = $here/run
state_dir = $here/state
listen = 127.0.0.1
log_path = $here/log
ssl = yes
ssl_cert = <$here/cert.pem
ssl_key = <$here/key.pem
service imap-login {
  inet_listener imap {
    port = 143
  }
  inet_listener imaps {
    port = 993
    ssl = yes
  }
  inet_listener unusual {
    port = 10143
  }
}
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=/
}
EOF
    exec dovecot -F -c "$here/conf"
    ;;
mariadb)
    exec mariadbd --no-defaults --user=root --datadir="$here" --socket="$here/socket" \
        --pid-file="$here/pid" --bind-address=127.0.0.1 --port=3306 --extra-port=13306 \
        --skip-grant-tables --innodb-buffer-pool-size=6M --innodb-log-file-size=4M \
        --innodb-flush-log-at-trx-commit=0 --skip-log-bin
    ;;
postgresql)
    chown postgres .
    bin=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
    as="setpriv --reuid=postgres --regid=postgres --clear-groups"
    $as "$bin/initdb" -D "$here/data" -A trust --no-sync --no-locale >/dev/null
    exec $as "$bin/postgres" -D "$here/data" -c listen_addresses=127.0.0.1 -p 5432 \
        -c unix_socket_directories="$here" -c fsync=off
    ;;
redis)
    redis-server --bind 127.0.0.1 --port 16379 --save '' --requirepass secret &
    exec redis-server --bind 127.0.0.1 --port 6379 --save ''
    ;;
memcached)
    exec memcached -u root -U 0 -l 127.0.0.1:11211,127.0.0.1:21211
    ;;
mosquitto)
    printf 'user root\nallow_anonymous true\nlistener 1883 127.0.0.1\nlistener 11883 127.0.0.1\n' > conf
    exec mosquitto -c conf
    ;;
rabbitmq)
    epmd -address 127.0.0.1 &
    export HOME="$here" RABBITMQ_NODENAME=rabbit@localhost RABBITMQ_MNESIA_BASE="$here" \
        RABBITMQ_LOG_BASE="$here" RABBITMQ_PID_FILE="$here/pid" RABBITMQ_CONF_ENV_FILE=/dev/null \
        RABBITMQ_ENABLED_PLUGINS_FILE="$here/plugins" RABBITMQ_CONFIG_FILE="$here/rabbitmq" \
        ERL_EPMD_ADDRESS=127.0.0.1
    printf '[].' > plugins
    printf 'listeners.tcp.1 = 127.0.0.1:5672\nlisteners.tcp.2 = 127.0.0.1:15673\n' > rabbitmq.conf
    exec /usr/lib/rabbitmq/bin/rabbitmq-server
    ;;
slapd)
    cat > conf <<EOF
modulepath /usr/lib/ldap
moduleload back_monitor
pidfile $here/pid
database monitor
EOF
    exec slapd -d 0 -f "$here/conf" -h 'ldap://127.0.0.1:389 ldap://127.0.0.1:10389'
    ;;
samba)
    mkdir -p private
    cat > conf <<EOF
[global]
interfaces = lo
bind interfaces only = yes
smb ports = 445 139 10445
private dir = $here/private
lock directory = $here
state directory = $here
cache directory = $here
pid directory = $here
ncalrpc dir = $here/rpc
log file = $here/log
disable netbios = no
EOF
    exec smbd --foreground --no-process-group -s "$here/conf"
    ;;
unbound)
    cat > conf <<EOF
server:
    interface: 127.0.0.1@53
    interface: 127.0.0.1@10053
    chroot: ""
    username: ""
    directory: "$here"
    pidfile: ""
    use-syslog: no
    logfile: "$here/log"
    local-zone: "." refuse
remote-control:
    control-enable: no
EOF
    exec unbound -d -c "$here/conf"
    ;;
rsync)
    printf 'use chroot = no\n[files]\npath = %s\ncomment = some files\n' "$here" > conf
    rsync --daemon --no-detach --address=127.0.0.1 --port=10873 --config=conf &
    exec rsync --daemon --no-detach --address=127.0.0.1 --port=873 --config=conf
    ;;
squid)
    cat > conf <<EOF
http_port 127.0.0.1:3128
http_port 127.0.0.1:13128
pid_filename $here/pid
cache_log $here/log
access_log none
cache_store_log none
coredump_dir $here
visible_hostname proxy.test
pinger_enable off
shutdown_lifetime 0 seconds
http_access deny all
EOF
    chmod 777 .
    exec squid -N -f "$here/conf"
    ;;
*)
    echo "no server $1" >&2
    exit 2
    ;;
esac
