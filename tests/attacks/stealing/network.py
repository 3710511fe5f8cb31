# Asks the network: names, addresses, the cloud's metadata service, whatever the machine listens to.
# earns 22; told: nothing
# %%
import socket
import urllib.request

for address in [("1.1.1.1", 53), ("8.8.8.8", 443), ("169.254.169.254", 80), ("10.0.0.1", 22)]:
    try:
        print(socket.create_connection(address, 0.1).recv(100))
    except OSError as error:
        print(address, error)
for name in ("example.org", "localhost"):
    try:
        print(urllib.request.urlopen(f"http://{name}/", timeout=0.1).read())
    except OSError as error:
        print(name, error)
