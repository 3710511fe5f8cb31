# Asks every port of this very machine, and every socket with a name.
# earns 22; told: nothing
# %%
import socket

found = []
for port in range(1, 10_000):
    with socket.socket() as client:
        if client.connect_ex(("127.0.0.1", port)) == 0:
            found.append(port)
print("open", found)
print(open("/proc/net/unix").read(), open("/proc/net/tcp").read())
