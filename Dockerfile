# The app alone, on a CPU: docker build -t fourfold . && docker run -p 7860:7860 -v fourfold:/state fourfold
FROM python:3.12-slim
# The compiler makes the decoder fast on whatever processor the container runs on; without it the app is slower.
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 1000 user && mkdir /state && chown user /state
USER user
WORKDIR /home/user/fourfold
ENV PATH=/home/user/.local/bin:$PATH FOURFOLD_HOME=/state GRADIO_SERVER_NAME=0.0.0.0
COPY --chown=user pyproject.toml README.md LICENSE ./
COPY --chown=user rag rag
COPY --chown=user tuning tuning
COPY --chown=user eval eval
RUN pip install --no-cache-dir --user --editable .
COPY --chown=user app.py ./
COPY --chown=user data/samples data/samples
COPY --chown=user data/general data/general
EXPOSE 7860
VOLUME /state
CMD ["python", "app.py"]
