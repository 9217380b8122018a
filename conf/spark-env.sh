# Read by the clone's own Spark before it starts Java.

# The loopback address, whatever this machine's name points to: it may point nowhere, and it changes with the network.
export SPARK_LOCAL_IP="${SPARK_LOCAL_IP:-127.0.0.1}"
